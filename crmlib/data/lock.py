"""The lock under which this process asks its engine, apart from the engine: whoever finds a table cached loads none."""

import threading

LOCK = threading.RLock()
