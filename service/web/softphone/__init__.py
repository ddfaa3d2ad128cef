"""Registration info: the call that softphones poll."""
