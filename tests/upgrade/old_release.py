"""Which earlier commit of this repository the mixed-version test upgrades from: the only place that says it.

It has to be an ancestor of what is tested, and should be one that speaks an older inter-cell API.
"""

#: The last commit that speaks nothing but version 1.0.
OLD_COMMIT = "efef92d6dc397f7a24b11fef337afb32a9dcaf37"
#: The inter-cell API that it speaks.
OLD_VERSION = "1.0"
#: A manager of that commit that is told to stop loses what comes to it before it has ended, a second later: messages
#: that oslo.messaging acknowledges while it closes, and broadcasts, which are refused.  That cannot be mended any
#: more, so the load holds its breath for that second.  What stops managers of a later release gets no such pause.
LOSES_AT_STOP = True
