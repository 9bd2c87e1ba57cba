package wechatpay_test

import (
	"fmt"
	"os"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/wechatpay"
)

// One gateway serves every tenant that has an account; keys come from files.
func Example() {
	account, err := readAccount("/etc/shop/wechatpay")
	if err != nil {
		fmt.Println("no keys here")
	}
	accounts := map[hyperlocal.TenantID]wechatpay.Account{"shop": account}
	gateway, err := wechatpay.New(wechatpay.Config{
		Accounts: func(tenant hyperlocal.TenantID) (wechatpay.Account, bool) {
			a, ok := accounts[tenant]
			return a, ok
		},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(gateway.Name(), gateway.Capabilities().Verbs, gateway.Capabilities().Methods)
	// Output:
	// no keys here
	// wechatpay [charge refund] [jsapi native app]
}

func readAccount(dir string) (wechatpay.Account, error) {
	a := wechatpay.Account{
		MerchantID: "1900000109", AppID: "wxd678efh567hg6787", Serial: "1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C",
		NotifyURL: "https://shop.example/v1/webhooks/shop/wechatpay",
	}
	text, err := os.ReadFile(dir + "/apiclient_key.pem")
	if err != nil {
		return a, err
	}
	if a.PrivateKey, err = wechatpay.ParsePrivateKey(text); err != nil {
		return a, err
	}
	if text, err = os.ReadFile(dir + "/pub_key.pem"); err != nil {
		return a, err
	}
	platform, err := wechatpay.ParsePlatformPublicKey("PUB_KEY_ID_0119000001092026112100112233445566", text)
	if err != nil {
		return a, err
	}
	a.Platform = []wechatpay.PlatformKey{platform}
	secret, err := os.ReadFile(dir + "/apiv3_key")
	a.APIv3Keys = [][]byte{secret}
	return a, err
}
