"""What newcomers stumble over, looked for between here and the server: `eventflow doctor`.

Each module looks at one thing and returns findings; none of them stores an event or moves a group.
"""
