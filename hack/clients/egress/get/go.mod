module lychgate.dev/hack/clients/egress/get

go 1.24
