package operations

import (
	"context"
	"errors"
)

// getOperationsProvider stands in for the log services of clouds, whose SDKs take long to compile: it says how to get
// them.
func (ops *resourceOperations) getOperationsProvider(_ context.Context) (Provider, error) {
	if ops.resource == nil || ops.resource.State == nil {
		return nil, nil
	}
	switch ops.resource.State.Type.Package() {
	case "cloud", "aws", "gcp":
		return nil, errors.New("this Pulumi CLI was built from source without `pulumi logs`. " + "LEAN_REMEDY")
	default:
		return nil, nil
	}
}
