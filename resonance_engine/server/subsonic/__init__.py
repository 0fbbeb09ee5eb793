"""The OpenSubsonic API of the server at /rest/, for the players on phones and elsewhere that speak it."""
