"""Everything that speaks AMI. The only room that imports panoramisk."""
