"""The tables of the room `traffic`: who may send samples, history, and what was wrong when.

Rule: live numbers are in Redis and may be lost; what people did, what was wrong and the history are rows.
"""
