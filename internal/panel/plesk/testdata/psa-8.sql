-- The tables of Plesk 8 and 9 that are read.
CREATE TABLE sys_users (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, login varchar(20) NOT NULL DEFAULT '',
  account_id int unsigned NOT NULL DEFAULT 0, home varchar(255) NOT NULL DEFAULT '', shell varchar(255) NOT NULL DEFAULT '',
  quota bigint NOT NULL DEFAULT 0, mapped_to int unsigned DEFAULT NULL, UNIQUE KEY login (login)) CHARACTER SET latin1;
CREATE TABLE hosting (
  dom_id int unsigned NOT NULL DEFAULT 0 PRIMARY KEY, sys_user_id int unsigned NOT NULL DEFAULT 0, ip_address_id int unsigned NOT NULL DEFAULT 0,
  php enum('false','true') NOT NULL DEFAULT 'false', php_safe_mode enum('false','true') NOT NULL DEFAULT 'true',
  cgi enum('false','true') NOT NULL DEFAULT 'false', perl enum('false','true') NOT NULL DEFAULT 'false',
  python enum('false','true') NOT NULL DEFAULT 'false', fastcgi enum('false','true') NOT NULL DEFAULT 'false') CHARACTER SET latin1;
CREATE TABLE domains (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, cr_date date DEFAULT NULL, name varchar(255) NOT NULL DEFAULT '',
  displayname varchar(255) NOT NULL DEFAULT '', dns_zone_id int unsigned NOT NULL DEFAULT 0, status bigint unsigned NOT NULL DEFAULT 0,
  htype enum('none','vrt_hst','std_fwd','frm_fwd') NOT NULL DEFAULT 'none', cl_id int unsigned NOT NULL DEFAULT 0,
  guid varchar(36) DEFAULT NULL) CHARACTER SET latin1;
CREATE TABLE subdomains (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, dom_id int unsigned NOT NULL DEFAULT 0, name varchar(255) NOT NULL DEFAULT '',
  displayName varchar(255) NOT NULL DEFAULT '', sys_user_type enum('main','native') NOT NULL DEFAULT 'main',
  sys_user_id int unsigned DEFAULT NULL, ssi enum('false','true') NOT NULL DEFAULT 'false', php enum('false','true') NOT NULL DEFAULT 'false') CHARACTER SET latin1;
CREATE TABLE web_users (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, dom_id int unsigned NOT NULL DEFAULT 0, sys_user_id int unsigned NOT NULL DEFAULT 0,
  php enum('false','true') NOT NULL DEFAULT 'false') CHARACTER SET latin1;

INSERT INTO sys_users (id, login, home) VALUES
  (1, 'site1', '/var/www/vhosts/site1.example'), (2, 'blogger', '/var/www/vhosts/site1.example/subdomains/blog'),
  (3, 'webuser', '/var/www/vhosts/site1.example/web_users/webuser'), (4, 'site2', '/var/www/vhosts/site2.example');
INSERT INTO domains (id, name, htype, cl_id) VALUES (10, 'site1.example', 'vrt_hst', 1), (20, 'site2.example', 'vrt_hst', 1), (30, 'mailonly.example', 'none', 1);
INSERT INTO hosting (dom_id, sys_user_id) VALUES (10, 1), (20, 4);
INSERT INTO subdomains (dom_id, name, sys_user_type, sys_user_id) VALUES
  (10, 'blog', 'native', 2), (10, 'shop', 'main', NULL), (10, 'same', 'main', 1);
INSERT INTO web_users (dom_id, sys_user_id) VALUES (10, 3);
