"""The subjects of `make bench`: each module has a TITLE and `run(rig)`, which returns rows."""
