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
