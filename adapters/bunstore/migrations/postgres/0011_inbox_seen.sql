-- What was handled long ago is forgotten, oldest first.
CREATE INDEX hc_inbox_seen ON hc_inbox (seen_at);
