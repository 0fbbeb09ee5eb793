"""What two views of the same music may differ in, on features and on audio."""
