"""AWS on one machine: moto's STS, IAM, ECR, S3 and KMS, where a caller may do what its policies allow."""
