-- The tables of mail policy as Plesk 8 to 10 have them, and their rows.
CREATE TABLE DomainServices (id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, dom_id int unsigned NOT NULL,
  type enum('mail','tomcat','maillists') NOT NULL, status bigint unsigned NOT NULL DEFAULT 0, parameters_id int unsigned NOT NULL, KEY (dom_id));
CREATE TABLE Parameters (id int unsigned NOT NULL, parameter varchar(255) NOT NULL, value varbinary(255), PRIMARY KEY (id, parameter));
CREATE TABLE smtp_poplocks (ip_address varchar(15), ip_mask int unsigned NOT NULL DEFAULT 32, lock_time datetime);
CREATE TABLE misc (param varchar(255) NOT NULL PRIMARY KEY, val varchar(255));
INSERT INTO DomainServices (dom_id, type, status, parameters_id) VALUES
  (10, 'mail', 0, 71), (10, 'tomcat', 0, 10), (20, 'mail', 0, 72), (30, 'mail', 2, 73), (99, 'mail', 0, 74);
-- Parameters.id 10, 20 and 30 are other sets: the numbers of the domains are not theirs.
INSERT INTO Parameters VALUES (71, 'nonexist_mail', 'bounce'), (71, 'bounce_mess', 'No such user'), (72, 'nonexist_mail', 'catch'),
  (72, 'catch_addr', 'all@elsewhere.test'), (73, 'nonexist_mail', 'reject'), (74, 'nonexist_mail', 'catch'),
  (10, 'nonexist_mail', 'reject'), (20, 'nonexist_mail', 'reject'), (30, 'nonexist_mail', 'catch');
INSERT INTO smtp_poplocks VALUES ('127.0.0.0', 8, NULL), ('203.0.113.45', 32, NULL), ('198.51.100.7', 32, '2026-11-23 10:00:00'), ('nonsense', 32, NULL), ('192.0.2.1', 77, NULL);
INSERT INTO misc VALUES ('allow_short_pop3_names', 'enabled'), ('admin_password', 'in clear text');
CREATE TABLE mail (id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, mail_name varchar(245) NOT NULL, postbox enum('false','true') NOT NULL DEFAULT 'false', redirect enum('false','true') NOT NULL DEFAULT 'false',
  redir_addr varchar(255), mail_group enum('false','true') NOT NULL DEFAULT 'false', autoresponder enum('false','true') NOT NULL DEFAULT 'false', dom_id int unsigned NOT NULL);
INSERT INTO mail (mail_name, redirect, redir_addr, autoresponder, dom_id) VALUES ('info', 'true', 'boss@elsewhere.test', 'false', 10), ('off', 'false', 'boss@elsewhere.test', 'true', 20);
