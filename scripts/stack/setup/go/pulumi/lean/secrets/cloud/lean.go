package cloud

import (
	"context"
	"fmt"
	"net/url"

	gosecrets "gocloud.dev/secrets"
)

// lean stands in for the key management services, whose SDKs take long to compile: it says how to get them.
type lean struct{}

func init() {
	for _, scheme := range []string{"awskms", "azurekeyvault", "gcpkms", "hashivault"} {
		gosecrets.DefaultURLMux().RegisterKeeper(scheme, lean{})
	}
}

func (lean) OpenKeeperURL(_ context.Context, u *url.URL) (*gosecrets.Keeper, error) {
	return nil, fmt.Errorf(
		"this Pulumi CLI was built from source without the secrets provider %s://. %s", u.Scheme, "LEAN_REMEDY")
}
