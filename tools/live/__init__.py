"""A live system for long and rough tests: real nodes in processes of their own, fed and watched from here."""
