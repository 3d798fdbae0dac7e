namespace TaskService.Domain;

/// <summary>
/// The context of a request for engines with several servers, for read-your-writes consistency. It is ambient, so that
/// other engines need not pass it on.
/// </summary>
/// <param name="key">Verb and path, such as <c>GET /tasks</c>.</param>
/// <param name="isRead">Whether it changes nothing.</param>
/// <param name="readAfter">A log position that the server must have reached to be read; null for any.</param>
internal sealed class StoreRequest(string key, bool isRead, string? readAfter)
{
    private static readonly AsyncLocal<StoreRequest?> Ambient = new();

    /// <summary>The current request; null outside of any.</summary>
    public static StoreRequest? Current
    {
        get => Ambient.Value;
        set => Ambient.Value = value;
    }

    public string Key => key;

    public bool IsRead => isRead;

    public string? ReadAfter => readAfter;

    /// <summary>Set by the engine once it has tried a change: later reads of this request must not be stale.</summary>
    public bool MustBeCurrent { get; set; }

    /// <summary>Set by the engine: the log position that a later read must reach to see this request's
    /// changes.</summary>
    public string? Position { get; set; }
}
