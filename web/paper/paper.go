// Package paper tells a review as one self-contained HTML file.
package paper
