"""The front door: one event loop in each web worker, on which every request is taken in.

`rsgi` speaks with the web server, the rest knows requests and answers. A body is collected within limits before
anything is spent on it. The hot verbs run on the loop; everything else is Django as it is, in a few threads.
"""
