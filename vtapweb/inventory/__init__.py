"""What Azure has: VNets, subnets, NICs, peerings, VMs, load balancers, TAPs; the sync that reads them and the changes it saw."""
