"""Earlier commit of this repository from which the mixed-version test upgrades; defined only here.

The commit must be an ancestor of the tested commit, and should speak an older inter-cell API.
"""

#: The last commit that only speaks version 1.0.
OLD_COMMIT = "efef92d6dc397f7a24b11fef337afb32a9dcaf37"
#: The inter-cell API that it speaks.
OLD_VERSION = "1.0"
#: A stopping manager of that commit loses the messages of its last second: the messages
#: that oslo.messaging acknowledges while it closes, and broadcasts, which it refuses.  The old commit cannot be
#: repaired, so the load pauses for that second.  It does not pause for managers of later releases.
LOSES_AT_STOP = True
#: A stopping manager of that commit may wait for a broker's library until its limit of 60 seconds, and then reports an
#: error: seen once in CI.  The test kills it earlier, as a supervisor does.
HANGS_AT_STOP = True
