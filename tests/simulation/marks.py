"""How secrets of the models begin, so that one is found wherever it is written."""

SECRET_MARK = "sip-secret-"
"""Of SIP passwords."""
TOKEN_MARK = "TOKEN"
"""Of tokens that no login has made."""
