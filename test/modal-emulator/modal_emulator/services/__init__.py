"""The RPCs of `modal.client.ModalClient`, by topic, and of the task command router."""
