"""What `check` asks an Asterisk over AMI: reachability, privileges, dangerous functions, endpoints."""
