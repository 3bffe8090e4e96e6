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
