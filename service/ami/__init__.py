"""Everything that speaks AMI: the only importer of panoramisk."""
