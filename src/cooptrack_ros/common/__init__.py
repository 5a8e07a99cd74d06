"""What everything else stands on: types, configuration, geometry, errors, files. Imports nothing of ours."""
