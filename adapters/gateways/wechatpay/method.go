package wechatpay

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Kinds of method tokens; see the package comment.
const (
	methodJSAPI  = "jsapi"
	methodNative = "native"
	methodApp    = "app"
)

// method is a method token after reading.
type method struct {
	kind   string
	openID string // jsapi only
}

// readMethod reads a token; false if it cannot be read. An openid has at most 128 letters,
// digits, underscores and hyphens.
func readMethod(token string) (method, bool) {
	kind, openID, found := strings.Cut(token, ":")
	switch kind {
	case methodJSAPI:
		return method{kind, openID}, consistsOf(openID, 1, 128, letters+digits+"_-")
	case methodNative, methodApp:
		return method{kind: kind}, !found
	}
	return method{}, false
}

// jsapiCall is what a page or mini program passes to the payment call of WeChat.
type jsapiCall struct {
	AppID     string `json:"appId"`
	TimeStamp string `json:"timeStamp"`
	NonceStr  string `json:"nonceStr"`
	Package   string `json:"package"`
	SignType  string `json:"signType"`
	PaySign   string `json:"paySign"`
}

// appCall is what an app passes to the WeChat SDK.
type appCall struct {
	AppID     string `json:"appid"`
	PartnerID string `json:"partnerid"`
	PrepayID  string `json:"prepayid"`
	Package   string `json:"package"`
	NonceStr  string `json:"noncestr"`
	Timestamp string `json:"timestamp"`
	Sign      string `json:"sign"`
}

// action makes what the shopper's device needs, signed: the lines are app id, time, nonce, and
// the package (JSAPI) or the prepay id (app).
func (g *Gateway) action(a *Account, kind, prepayID string) (string, error) {
	stamp, nonce := strconv.FormatInt(g.clock.Now().Unix(), 10), g.nonce()
	if kind == methodApp {
		signature, err := sign(a.PrivateKey, a.mobileAppID(), stamp, nonce, prepayID)
		if err != nil {
			return "", err
		}
		text, err := json.Marshal(appCall{AppID: a.mobileAppID(), PartnerID: a.MerchantID, PrepayID: prepayID,
			Package: "Sign=WXPay", NonceStr: nonce, Timestamp: stamp, Sign: signature})
		return string(text), err
	}
	pack := "prepay_id=" + prepayID
	signature, err := sign(a.PrivateKey, a.AppID, stamp, nonce, pack)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(jsapiCall{AppID: a.AppID, TimeStamp: stamp, NonceStr: nonce, Package: pack, SignType: "RSA", PaySign: signature})
	return string(text), err
}
