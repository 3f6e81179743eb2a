package cli

import "github.com/spf13/cobra"

func githubCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "github",
		Short: "Connect Callboard with GitHub",
		Long: `What is done once to connect Callboard with GitHub.

callboard doctor says whether the connection works.`,
		Example: `  callboard github create-app --org acme --url https://callboard.acme.com`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(createAppCommand())
	return cmd
}
