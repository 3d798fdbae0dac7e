namespace TaskService.Domain;

/// <summary>
/// What an engine with several servers must know of the request that it works for. It goes along by itself, so that
/// other engines have nothing to do with it.
/// </summary>
/// <param name="key">Verb and path, such as <c>GET /tasks</c>.</param>
/// <param name="isRead">Whether it changes nothing.</param>
/// <param name="readAfter">A position that what is read must have reached; null when any will do.</param>
internal sealed class StoreRequest(string key, bool isRead, string? readAfter)
{
    private static readonly AsyncLocal<StoreRequest?> Ambient = new();

    /// <summary>The one that this code works for; null outside of any.</summary>
    public static StoreRequest? Current
    {
        get => Ambient.Value;
        set => Ambient.Value = value;
    }

    public string Key => key;

    public bool IsRead => isRead;

    public string? ReadAfter => readAfter;

    /// <summary>Set by the engine once it has tried a change: what is read from then on must not be old.</summary>
    public bool MustBeCurrent { get; set; }

    /// <summary>Set by the engine: what a later read sends to see the changes of this request.</summary>
    public string? Position { get; set; }
}
