"""What a phone is given to register: one pure function per kind of phone, each from a SIP account."""
