module app-go

go 1.26
