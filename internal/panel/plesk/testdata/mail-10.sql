-- The tables of mail policy as Plesk 12 and later have them, and their rows.
CREATE TABLE DomainServices (id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, dom_id int unsigned NOT NULL,
  type enum('mail','tomcat','maillists','web') NOT NULL, status bigint unsigned NOT NULL DEFAULT 0, parameters_id int unsigned NOT NULL, ipCollectionId int unsigned NOT NULL DEFAULT 0, KEY (dom_id));
CREATE TABLE Parameters (id int unsigned NOT NULL, parameter varchar(255) NOT NULL, value varchar(255), PRIMARY KEY (id, parameter));
CREATE TABLE smtp_poplocks (ip_address varchar(39), ip_mask int unsigned NOT NULL DEFAULT 32, lock_time datetime, serviceNodeId int NOT NULL DEFAULT 1, KEY (ip_address));
CREATE TABLE misc (param varchar(255) NOT NULL PRIMARY KEY, val varchar(2000));
INSERT INTO DomainServices (dom_id, type, status, parameters_id) VALUES
  (3, 'mail', 0, 31), (3, 'web', 0, 3), (4, 'mail', 0, 32), (5, 'mail', 0, 33), (6, 'mail', 0, 34), (8, 'mail', 0, 35);
INSERT INTO Parameters VALUES (31, 'nonexist_mail', 'reject'), (32, 'nonexist_mail', 'discard'), (33, 'nonexist_mail', 'something-new'),
  (34, 'mailProviderType', 'local'), (35, 'nonexist_mail', 'catch'), (35, 'catch_addr', 'info@shop.example'), (3, 'nonexist_mail', 'catch');
INSERT INTO smtp_poplocks (ip_address, ip_mask, lock_time) VALUES ('10.0.0.0', 8, NULL), ('203.0.0.0', 16, NULL), ('0.0.0.0', 0, NULL), ('198.51.100.0', 24, NULL), ('2001:db8::', 32, NULL), ('::1', 128, NULL);
INSERT INTO misc VALUES ('allow_short_pop3_names', 'false');
CREATE TABLE mail (id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, userId int unsigned NOT NULL DEFAULT 0, mail_name varchar(245) NOT NULL, postbox enum('false','true') NOT NULL DEFAULT 'false',
  account_id int unsigned NOT NULL DEFAULT 0, mail_group enum('false','true') NOT NULL DEFAULT 'false', autoresponder enum('false','true') NOT NULL DEFAULT 'false', dom_id int unsigned NOT NULL, UNIQUE (dom_id, mail_name));
CREATE TABLE mail_redir (id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, mn_id int unsigned NOT NULL, address varchar(245));
INSERT INTO mail (id, mail_name, mail_group, autoresponder, dom_id) VALUES (1, 'Info', 'true', 'false', 3), (2, 'sales', 'false', 'true', 3), (3, 'lost', 'true', 'false', 999);
INSERT INTO mail_redir (mn_id, address) VALUES (1, 'boss@elsewhere.test'), (1, 'sales@shop.example'), (3, 'x@elsewhere.test'), (77, 'y@elsewhere.test');
