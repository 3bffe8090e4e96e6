-- Limits of mailboxes as Plesk 12 and later keep them; one mailbox has a limit of its own.
CREATE TABLE mn_param (mn_id int unsigned NOT NULL, param varchar(245) NOT NULL, val varchar(255), PRIMARY KEY (mn_id, param));
INSERT INTO mn_param VALUES (2, 'outgoing-messages-mbox-limit', '50');
