ARG BASE_IMAGE=public.ecr.aws/docker/library/nginx:1.26
