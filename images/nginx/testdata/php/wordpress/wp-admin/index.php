<?php require '/app/app.php';
