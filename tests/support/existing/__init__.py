"""Real Asterisks in the shape of PBXs that were there before the service: their files, phones and AMI accounts."""
