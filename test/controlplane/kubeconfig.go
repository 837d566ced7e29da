package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// kubeconfig returns a self-contained kubeconfig with which user, a member of
// groups, speaks to the API server at the given address.
func (a *authority) kubeconfig(server, user string, groups ...string) ([]byte, error) {
	cert, key, err := a.client(user, groups)
	if err != nil {
		return nil, fmt.Errorf("issuing a certificate for %s: %w", user, err)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["controlplane"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: a.pem}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{ClientCertificateData: cert, ClientKeyData: key}
	config.Contexts[user] = &clientcmdapi.Context{Cluster: "controlplane", AuthInfo: user}
	config.CurrentContext = user
	return clientcmd.Write(*config)
}

func newKubeconfigCommand() *cobra.Command {
	var dir, user string
	var groups []string
	c := &cobra.Command{
		Use:   "kubeconfig --dir DIR --user NAME [--group GROUP …]",
		Short: "Print a kubeconfig for any user and groups",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			authority, err := loadAuthority(dir)
			if err != nil {
				return err
			}
			server, err := os.ReadFile(filepath.Join(dir, serverFile))
			if err != nil {
				return fmt.Errorf("reading the API server's address (is the control plane up?): %w", err)
			}
			text, err := authority.kubeconfig(strings.TrimSpace(string(server)), user, groups...)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "directory of a running control plane")
	c.Flags().StringVar(&user, "user", "", "user name")
	c.Flags().StringArrayVar(&groups, "group", nil, "group of the user; may be repeated")
	_ = c.MarkFlagRequired("dir")
	_ = c.MarkFlagRequired("user")
	return c
}
