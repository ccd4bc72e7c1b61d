package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/watch"
)

func (c *command) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "What this machine offers",
		Long: `Privileges, sources, logs and firewalls of this machine, each with yes, no or unknown and its reason. Nothing is
changed.`,
		Example: "  connwarden doctor\n  connwarden doctor --root /mnt/rescue",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := c.start()
			if err != nil {
				return err
			}
			d := watch.Doctor(cmd.Context(), host.New(c.flags.root), c.env.Now())
			if c.flags.root == "" {
				d.Probes = append(d.Probes, c.blocking(cmd.Context(), p)...)
			}
			d.Probes = append(d.Probes, p.telling()...)
			return c.print(d, func(t *report.Text, w io.Writer) error { return t.Doctor(w, d) }, func(v *report.CSV) error { return v.Doctor(d) })
		},
	}
}

func (c *command) configCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "The configuration in force, each value with its origin",
		Long: `Prints every setting with its value and where that comes from: a flag, the environment, the configuration file
(/etc/connwarden/config.toml, or --config FILE) or the default.`,
		Example: "  connwarden config\n  connwarden config --config ./test.toml --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := c.start()
			if err != nil {
				return err
			}
			d := &report.Config{Schema: report.SchemaConfig, File: p.File, Values: p.values, Problems: []report.Problem{}}
			return c.print(d, func(t *report.Text, w io.Writer) error { return t.Config(w, d) }, func(v *report.CSV) error { return v.Config(d) })
		},
	}
}
