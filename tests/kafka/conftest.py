"""Without confluent-kafka the tests that import it cannot even be collected: they are left out, as a whole."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("confluent_kafka") else ["test_[!c]*.py"]
