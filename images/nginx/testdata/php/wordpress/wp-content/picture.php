<?php echo 'run as ' . 'a script';
