"""What no stack may do: a policy pack for the engine, `pulumi preview --policy-pack policies`."""
