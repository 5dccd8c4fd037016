"""Messaging without a broker: the transport ``zmq://`` of oslo.messaging.

oslo.messaging loads :mod:`cells.brokerless.driver` by its entry point when a
transport URL says ``zmq://``; nothing else in this project imports it.
"""
