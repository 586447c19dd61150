"""What `up` does: servers, secrets, migrations, then web, worker and beat under one roof.

Nothing here imports Django: it runs before there is a database to configure Django with, and the
second start has less than two seconds.
"""
