package wechatpaytest

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Notification returns the signed notification about an order or a refund, by its number, as it
// stands now. Each has an id of its own.
func (s *Server) Notification(number string, at time.Time) (headers map[string][]string, body []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, ok := s.orders[number]; ok {
		return s.Seal(at, "TRANSACTION.SUCCESS", "transaction", o.wire())
	}
	if r, ok := s.refunds[number]; ok {
		return s.Seal(at, "REFUND."+r.Status, "refund", r.wire("refund_status", false))
	}
	return nil, nil, errors.New("no such order or refund")
}

// Seal signs a notification with any content.
func (s *Server) Seal(at time.Time, event, kind string, content any) (map[string][]string, []byte, error) {
	plain, err := json.Marshal(content)
	if err != nil {
		return nil, nil, err
	}
	nonce := text(12)
	block, err := aes.NewCipher([]byte(APIv3Key))
	if err != nil {
		return nil, nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, nil, err
	}
	sealed := gcm.Seal(nil, []byte(nonce), plain, []byte(kind))
	return s.Envelope(at, event, map[string]string{
		"original_type": kind, "algorithm": "AEAD_AES_256_GCM", "ciphertext": base64.StdEncoding.EncodeToString(sealed),
		"associated_data": kind, "nonce": nonce,
	})
}

// Envelope signs a notification with any resource.
func (s *Server) Envelope(at time.Time, event string, resource map[string]string) (map[string][]string, []byte, error) {
	body, err := json.Marshal(map[string]any{
		"id": fmt.Sprintf("EV-%s", text(24)), "create_time": at.Format(time.RFC3339), "resource_type": "encrypt-resource",
		"event_type": event, "summary": "支付成功", "resource": resource,
	})
	if err != nil {
		return nil, nil, err
	}
	return s.Sign(at, body), body, nil
}
