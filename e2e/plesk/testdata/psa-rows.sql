-- The sites of the captured server.
INSERT INTO sys_users (id, login, account_id, home, shell) VALUES
  (1, 'site1', 1, '/var/www/vhosts/site1.example', '/bin/false'),
  (2, 'site2', 1, '/var/www/vhosts/site2.example', '/bin/false'),
  (3, 'shopftp', 1, '/var/www/vhosts/shop.example', '/bin/false'),
  (4, 'blog', 1, '/var/www/vhosts/blog.example', '/bin/false');
INSERT INTO domains (id, name, htype, cl_id) VALUES
  (1, 'site1.example', 'vrt_hst', 1), (2, 'site2.example', 'vrt_hst', 1), (3, 'shop.example', 'vrt_hst', 1), (4, 'blog.example', 'vrt_hst', 1);
INSERT INTO hosting (dom_id, sys_user_id, php_handler_type) VALUES (1, 1, 'fastcgi'), (2, 2, 'fpm'), (3, 3, 'fpm'), (4, 4, 'module');
