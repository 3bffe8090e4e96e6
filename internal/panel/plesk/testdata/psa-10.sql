-- The tables of Plesk 10 to 18 that are read, as in the vendor's own schema, and
-- accounts, which holds passwords and must not be read.
CREATE TABLE sys_users (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, serviceNodeId int unsigned NOT NULL DEFAULT 1,
  login varchar(32) NOT NULL DEFAULT '', account_id int unsigned NOT NULL DEFAULT 0,
  home varchar(255) NOT NULL DEFAULT '', shell varchar(255) NOT NULL DEFAULT '',
  quota bigint NOT NULL DEFAULT 0, mapped_to int unsigned DEFAULT NULL, UNIQUE KEY login (serviceNodeId, login));
CREATE TABLE hosting (
  dom_id int unsigned NOT NULL DEFAULT 0 PRIMARY KEY, sys_user_id int unsigned NOT NULL DEFAULT 0,
  php enum('false','true') NOT NULL DEFAULT 'false', cgi enum('false','true') NOT NULL DEFAULT 'false',
  php_handler_type varchar(255) DEFAULT 'fpm', certificate_id int unsigned NOT NULL DEFAULT 0,
  www_root varchar(255) NOT NULL DEFAULT 'httpdocs');
CREATE TABLE domains (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, cr_date date DEFAULT NULL, name varchar(255) NOT NULL DEFAULT '',
  displayName varchar(255) NOT NULL DEFAULT '', dns_zone_id int unsigned NOT NULL DEFAULT 0, status bigint unsigned NOT NULL DEFAULT 0,
  htype enum('none','vrt_hst','std_fwd','frm_fwd') NOT NULL DEFAULT 'none', cl_id int unsigned NOT NULL DEFAULT 0,
  parentDomainId int unsigned NOT NULL DEFAULT 0, webspace_id int unsigned NOT NULL DEFAULT 0, guid varchar(36) DEFAULT NULL);
CREATE TABLE web_users (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, dom_id int unsigned NOT NULL DEFAULT 0, sys_user_id int unsigned NOT NULL DEFAULT 0,
  php enum('false','true') NOT NULL DEFAULT 'false', cgi enum('false','true') NOT NULL DEFAULT 'false');
CREATE TABLE ftp_users (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, dom_id int unsigned NOT NULL DEFAULT 0, sys_user_id int unsigned NOT NULL DEFAULT 0);
CREATE TABLE accounts (id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, type varchar(32) NOT NULL DEFAULT 'plain', password text);

INSERT INTO accounts (id, password) VALUES (1, 'in clear text');
INSERT INTO sys_users (id, login, account_id, home, shell) VALUES
  (7, 'web7', 1, '/var/www/vhosts/shop.example', '/bin/false'),
  (8, 'shopftp', 1, '/var/www/vhosts/shop.example/httpdocs', '/bin/false'),
  (9, 'anna', 1, '/var/www/vhosts/shop.example/web_users/anna', '/bin/false'),
  (10, 'web10', 1, '/var/www/vhosts/other.example', '/bin/false'),
  (11, 'idle', 1, '/var/www/vhosts/gone.example', '/bin/false'),
  (12, 'dangling', 1, '/var/www/vhosts/lost.example', '/bin/false'),
  (13, 'apache', 1, '/var/www', '/bin/false');
INSERT INTO domains (id, name, htype, cl_id, parentDomainId, webspace_id) VALUES
  (3, 'shop.example', 'vrt_hst', 1, 0, 0),
  (4, 'addon.example', 'vrt_hst', 1, 0, 3),
  (5, 'blog.shop.example', 'vrt_hst', 1, 3, 3),
  (6, 'forward.example', 'std_fwd', 1, 0, 3),
  (8, 'other.example', 'vrt_hst', 2, 0, 0),
  (9, 'evil.example', 'vrt_hst', 2, 0, 8);
INSERT INTO hosting (dom_id, sys_user_id, www_root) VALUES
  (3, 7, 'httpdocs'), (4, 7, 'addon.example'), (5, 7, 'httpdocs/blog'), (8, 10, 'httpdocs'),
  (9, 10, '../shop.example/httpdocs'), (99, 12, 'httpdocs');
INSERT INTO web_users (dom_id, sys_user_id) VALUES (3, 9);
INSERT INTO ftp_users (dom_id, sys_user_id) VALUES (3, 8);
