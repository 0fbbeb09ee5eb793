"""The `resonance:` section of the configuration as frozen values.

In: YAML. Out: settings, profiles, exclusions, hours. Imports nothing else of the plugin.
"""
