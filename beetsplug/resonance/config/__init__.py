"""The `resonance:` section of the configuration as frozen values.

In: YAML. Out: settings, profiles, exclusions, hours; beside them the table of options and the grammar of query text.
Imports nothing else of the plugin, and nothing is read from a library or a store.
"""
