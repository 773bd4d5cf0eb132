# The story end to end: send and consume, kill the master under load, bring it back, count.
demo() { fail 'not yet'; }
