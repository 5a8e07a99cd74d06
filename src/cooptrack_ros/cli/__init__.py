"""The ``cooptrack`` command."""
